#!/bin/bash
# A Slurm cluster on this host: its own directory, munge key, ports and processes; no services, nothing outside LAB.
#
#     slurm_lab.sh up LAB [NODES] [CPUS] [PORT]    starts munged, slurmctld and NODES slurmd (n1, n2, ...)
#     slurm_lab.sh controller LAB                  starts the controller again, with the state it had
#     slurm_lab.sh node LAB N                      starts node N again
#     slurm_lab.sh down LAB                        ends all of it, by recorded process ids
#
# Use it with SLURM_CONF=LAB/slurm.conf. Needs slurmctld, slurmd, slurm-client, munge and openssl.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
verb=${1:?verb}; LAB=$(realpath -m "${2:?lab directory}")
export SLURM_CONF="$LAB/slurm.conf"

start_controller() { nohup slurmctld "$@" -D -f "$SLURM_CONF" >>"$LAB/log/ctld" 2>&1 </dev/null & echo $! >"$LAB/run/ctld.pid"; }
start_node() { nohup slurmd -D -N "n$1" -f "$SLURM_CONF" >>"$LAB/log/n$1" 2>&1 </dev/null & echo $! >"$LAB/run/n$1.pid"; }

write_configuration() {  # NODES CPUS PORT
  echo "CgroupPlugin=cgroup/v1" >"$LAB/cgroup.conf"  # no autodetection: no dbus, no cgroup mount needed
  cat >"$SLURM_CONF" <<C
ClusterName=lab
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
SlurmctldPort=$3
AuthType=auth/munge
AuthInfo=socket=$LAB/munge/sock
StateSaveLocation=$LAB/state
SlurmdSpoolDir=$LAB/spool.%n
SlurmctldPidFile=$LAB/run/slurmctld.pid
SlurmdPidFile=$LAB/run/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=30
KillWait=5
C
  for i in $(seq "$1"); do
    echo "NodeName=n$i NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$(($3 + i)) CPUs=$2 State=UNKNOWN"
  done >>"$SLURM_CONF"
  echo "PartitionName=main Nodes=n[1-$1] Default=YES MaxTime=INFINITE State=UP" >>"$SLURM_CONF"
}

start_munge() {
  local user drop=()
  user=$(id -un)
  if [ "$(id -u)" = 0 ]; then user=munge; drop=(setpriv --reuid=munge --regid=munge --clear-groups); fi
  (umask 077; openssl rand 128 >"$LAB/munge/key"); chmod 400 "$LAB/munge/key"
  [ "$user" = "$(id -un)" ] || chown -R munge:munge "$LAB/munge"
  "${drop[@]}" munged --key-file="$LAB/munge/key" --socket="$LAB/munge/sock" --pid-file="$LAB/munge/pid" \
    --seed-file="$LAB/munge/seed" --log-file="$LAB/munge/log"
}

wait_for_nodes() {  # until all are idle, at most 30 s
  for _ in $(seq 120); do
    [ "$(sinfo -h -N -t idle -o %N 2>/dev/null | wc -l)" -ge "$1" ] && return 0
    sleep 0.25
  done
  echo "the nodes do not come up; see $LAB/log" >&2
  return 1
}

case $verb in
  up)
    nodes=${3:-2}; cpus=${4:-1}; port=${5:-16817}
    mkdir -p "$LAB"/{munge,state,log,run}; chmod 755 "$LAB" "$LAB/munge"
    for i in $(seq "$nodes"); do mkdir -p "$LAB/spool.n$i"; done
    start_munge
    write_configuration "$nodes" "$cpus" "$port"
    start_controller -c
    for i in $(seq "$nodes"); do start_node "$i"; done
    wait_for_nodes "$nodes"
    ;;
  controller) start_controller ;;
  node) start_node "${3:?node number}" ;;
  down)
    scancel -u "$(id -un)" 2>/dev/null || true
    for file in "$LAB"/run/n*.pid "$LAB/run/ctld.pid" "$LAB/munge/pid"; do
      if [ -s "$file" ]; then kill "$(cat "$file")" 2>/dev/null || true; fi
    done
    ;;
  *) echo "unknown verb $verb" >&2; exit 2 ;;
esac
