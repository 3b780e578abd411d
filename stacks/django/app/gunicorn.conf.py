"""Eight workers under one master, which loads the application once. Logs go to the container's output."""

import os

bind = "0.0.0.0:8000"
workers = int(os.environ.get("WORKERS", "8"))
preload_app = True
proc_name = "shop"  # the process table reads: gunicorn: worker [shop]
accesslog = "-"
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
