"""Mutation testing: change one thing in the code and see whether a test notices. `make mutants`; CONTRIBUTING.md says how.

Why a runner of our own: mutmut 3 leaves out decorated functions (every property) and everything outside functions (rules in
tuples, limits, default values), and cosmic-ray runs the whole suite in a new process for each change.
"""
