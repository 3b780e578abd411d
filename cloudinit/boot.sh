#!/bin/sh
# From a bare Ubuntu or Debian to a Docker engine that answers, then to the containers. Nothing is ever templated into
# this file: what differs between stacks is data in /etc/bluegreen/boot.json, and no shell reads that. A second run
# finds the work done. A failure says so on the console and leaves the machine on, to be looked at.
set -u
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1

here=$(dirname -- "$0")
document=${1:-/etc/bluegreen/boot.json}
console=${BLUEGREEN_CONSOLE:-/dev/console}
scratch=${BLUEGREEN_RUN_DIR:-/run/bluegreen}
evidence=$scratch/evidence

tenths() { # tenths of a second since the machine started; /proc/uptime reads "12.34 40.11"
  read -r up _ </proc/uptime
  part=${up#*.}
  echo $((${up%.*} * 10 + ${part%?}))
}

emit() {
  printf '%s\n' "$*"
  { printf '%s\n' "$*" >>"$console"; } 2>/dev/null || :
}

say() {
  passed=$(($(tenths) - began))
  emit "[bluegreen] $((passed / 10)).$((passed % 10)) $*"
}

fail() {
  emit "[bluegreen] failed: $*"
  tail -n 8 "$evidence" 2>/dev/null | tr -cd '[:print:]\n' | cut -c 1-300 | while IFS= read -r line; do
    emit "[bluegreen]   | $line"
  done
  exit 1
}

apt() { # seconds for the whole call, then words; waits for dpkg's lock (the lists have their own: hence the tries)
  limit=$1
  shift
  timeout "$limit" apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 -o Acquire::http::Timeout=15 \
    -o Dpkg::Options::=--force-confold "$@" >>"$evidence" 2>&1
}

install_docker() {
  try=1
  pause=2
  while [ "$try" -le 6 ]; do
    say "install docker.io from the distribution, try $try of 6"
    : >"$evidence"
    apt 180 update # its failure is not final: the lists on the disk may do
    apt 480 install --no-install-recommends docker.io ca-certificates && return 0
    sleep "$pause"
    pause=$((pause < 16 ? pause * 2 : 20))
    try=$((try + 1))
    timeout 120 dpkg --configure -a >>"$evidence" 2>&1 # a call cut short leaves packages half configured
  done
  fail "Docker could not be installed from the distribution in 6 tries"
}

engine_answers() {
  version=$(timeout 10 docker version --format '{{.Server.Version}}' 2>"$evidence")
}

start_engine() {
  engine_answers && return 0
  say "start the Docker engine"
  if [ -d /run/systemd/system ]; then
    timeout 90 systemctl enable --now docker >"$scratch/start" 2>&1
  else
    timeout 90 service docker start >"$scratch/start" 2>&1
  fi
  deadline=$(($(tenths) + 600))
  until engine_answers; do
    if [ "$(tenths)" -ge "$deadline" ]; then
      cat "$scratch/start" >>"$evidence"
      fail "the Docker engine does not answer after 60 s"
    fi
    sleep 1
  done
}

began=$(tenths)
mkdir -p "$scratch"
chmod 700 "$scratch" || fail "cannot make $scratch"
say "start, $((began / 10)) s after the machine"
command -v docker >/dev/null || install_docker
start_engine
say "engine $version"
rm -f "$evidence" "$scratch/start"
BLUEGREEN_BEGAN=$began exec python3 -B -X utf8 "$here/containers.py" "$document"
