"""A simulator of AWS behind the controller's ports: virtual time, faults at every call, promises checked after every call."""
