#!/bin/bash
# Runs in the guest, as its first process: lays the machine out as an init would, with cgroup v2
# alone, runs the tests, says how they ended and turns the machine off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mkdir -p /dev/mqueue
mount -t mqueue mqueue /dev/mqueue
ln -sf /proc/self/fd /dev/fd
chmod 1777 /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# As systemd does: who starts the agent is in no group that has groups below it.
mkdir /sys/fs/cgroup/init.scope
echo $$ >/sys/fs/cgroup/init.scope/cgroup.procs
for name in cpu memory pids io cpuset hugetlb; do
    echo "+$name" >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null
done
hostname cgroup2
ip link set lo up
modprobe -a overlay veth bridge loop quota_v2 2>&1
[ ! -e /tests/projects.img ] || export TEPUI_TEST_PROJECTS=/tests/projects.img
echo "the guest is up after $(cut -d' ' -f1 /proc/uptime) s: Linux $(uname -r)," \
    "controllers $(cat /sys/fs/cgroup/cgroup.subtree_control)"

mapfile -t arguments <"/tests/arguments"
code=0
while read -r program; do
    mkdir -p "$(dirname "$program")"
    ln -sf "/tests/files/$(basename "$program")" "$program"
done </tests/programs
run_tests() {
    while read -r program; do
        case "$program" in
        */deps/*)
            echo "=== $(basename "${program%-*}")"
            "$program" "$@" || code=1
            ;;
        esac
    done </tests/programs
}
measure() {
    for program in /tests/files/conformance-*; do
        TEPUI_CONTAINER_FIGURES=1 "$program" its_creation || code=1
    done
}
case "${arguments[0]}" in
figures) measure ;;
"")
    run_tests
    measure
    ;;
*) run_tests "${arguments[@]}" ;;
esac
echo "cgroups left: $(find /sys/fs/cgroup -mindepth 1 -type d | tr '\n' ' ')"
echo "cgroup2-exit: $code"
sync
echo o >/proc/sysrq-trigger
sleep 60
