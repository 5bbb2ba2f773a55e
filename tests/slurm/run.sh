#!/usr/bin/env bash
# Sweeps on a real SLURM: installs Debian's, starts a controller and four nodes on this machine, runs the tests, ends all.
set -euo pipefail
usage="usage: bash tests/slurm/run.sh [arguments of pytest…]

Needs root on Debian or its kin, and the right to make namespaces; where it has not, or cannot install, it says so
and tests nothing (exit status 0).
Takes the environment that scripts/test.sh makes. Installs slurm-wlm and munge by apt-get where they are missing, and
starts none of their services. What it starts itself has configuration, key, ports and logs of its own in a temporary
folder, and ends with the tests. A SLURM that this machine belongs to is not touched.

Each node has one CPU, and host name and process numbers of its own, as on a cluster: all its processes die with it."
case ${1:-} in -h | --help) echo "$usage" && exit 0 ;; esac

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/python.sh"
cd "$checkout"
policy=/usr/sbin/policy-rc.d made_policy= daemons=() nodes=(node{1..4}) powered=()
folder=$(mktemp -d /tmp/ship-slurm.XXXXXX)
chmod 755 "$folder"
export SLURM_CONF=$folder/slurm.conf

skip() {
    printf '\n%s\n\n' "SKIPPED: SWEEPS WERE NOT TESTED ON SLURM: $1" >&2
    exit 0
}

finish() {
    local status=$? pid
    if ((${#powered[@]})); then
        scancel --user="$(id -u)" 2>/dev/null || true
        for _ in {1..40}; do [[ -z "$(squeue --noheader --states=running,completing 2>/dev/null)" ]] && break || sleep 0.5; done
    fi
    for pid in ${powered[@]+"${powered[@]}"}; do { kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || true; done
    for pid in ${daemons[@]+"${daemons[@]}"}; do kill "$pid" 2>/dev/null && wait "$pid" || true; done
    ((status == 0)) || tail -n 20 "$folder"/*.log >&2 2>/dev/null || true
    [[ -z "$made_policy" ]] || rm -f "$policy"
    rm -rf "$folder"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

install_slurm() {
    if [[ ! -e $policy ]]; then # without it Debian starts services as it installs them
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made_policy=yes
    fi
    local install="apt-get install -y --no-install-recommends slurm-wlm munge"
    export DEBIAN_FRONTEND=noninteractive
    $install >"$folder/apt.log" 2>&1 || { apt-get update && $install; } >"$folder/apt.log" 2>&1
}

"$PYTHON" - <<<'import pytest, submitit' || {
    echo "error: $PYTHON lacks what the tests need; make the environment first: bash scripts/test.sh" >&2
    exit 2
}
[[ $(id -u) == 0 ]] || skip "this needs root"
command -v apt-get >/dev/null || skip "this needs Debian or one of its kin (no apt-get here)"
for program in slurmctld slurmd munged sbatch srun; do
    command -v "$program" >/dev/null && continue
    echo "Installing slurm-wlm and munge"
    install_slurm || skip "apt-get cannot install slurm-wlm and munge:
$(tail -n 5 "$folder/apt.log")"
    break
done

node=(unshare --uts --pid --mount-proc --fork --kill-child)
"${node[@]}" true 2>/dev/null || skip "this needs the right to make namespaces (unshare --uts --pid)"

name=$(hostname -s)
ports=($("$PYTHON" -c 'import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(each.getsockname()[1] for each in sockets))' $((1 + ${#nodes[@]}))))
mkdir -m 755 "$folder/munge" "$folder/state" "$folder/spool"
(umask 077 && head -c 64 /dev/urandom >"$folder/munge/key")
cat >"$SLURM_CONF" <<CONFIGURATION
ClusterName=test
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=1
SlurmctldParameters=preempt_send_user_signal
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=20
SlurmdTimeout=15
ReturnToService=2
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 GraceTime=300
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF
CONFIGURATION
for i in "${!nodes[@]}"; do
    echo "NodeName=${nodes[i]} NodeHostname=${nodes[i]} NodeAddr=127.0.0.1 Port=${ports[i + 1]} CPUs=1 State=UNKNOWN"
done >>"$SLURM_CONF"

munged --foreground --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
    --pid-file="$folder/munge/pid" --seed-file="$folder/munge/seed" >"$folder/munged.log" 2>&1 &
daemons+=($!)
for _ in {1..50}; do [[ -S $folder/munge/socket ]] && break || sleep 0.2; done
slurmctld -D >"$folder/slurmctld.log" 2>&1 &
daemons+=($!)
for each in "${nodes[@]}"; do
    "${node[@]}" sh -c 'hostname "$1" && exec slurmd -D -N "$1"' - "$each" >"$folder/$each.log" 2>&1 &
    powered+=($!)
    echo $! >"$folder/$each.process"
done
for _ in {1..60}; do [[ "$(sinfo --noheader --partition=low --format=%T 2>/dev/null)" == idle ]] && break || sleep 0.5; done
sinfo

export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} SHIP_TEST_SLURM=$folder
"$PYTHON" -m pytest tests/slurm "$@"
