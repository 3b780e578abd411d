"""What every backend of the ports must do: the simulator, the adapters on the sandbox's engine, and a real account."""
