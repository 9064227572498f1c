# systemd.sh DIRECTORY NODE BIN PACKAGING RULES: becomes systemd as process 1 of the namespaces it is started in, with the units of the package and
# what else a machine has there; DIRECTORY is empty.
set -eu
work=$1 node=$2 bin=$3 packaging=$4 rules=$5
mount --make-rprivate /
mount -t tmpfs none "$work"
for part in etc usr/sbin usr/lib; do
  mkdir -p "$work/$part/up" "$work/$part/work"
  mount -t overlay none -o "lowerdir=/$part,upperdir=$work/$part/up,workdir=$work/$part/work" "/$part"
done
for program in bpfilterd bpfilter; do
  printf '#!/bin/sh\nexec %s %s "$@"\n' "$node" "$bin/$program" > "/usr/sbin/$program"
  chmod +x "/usr/sbin/$program"
done
mkdir -p /usr/lib/bpfilter /etc/bpfilter
cp "$packaging/load-rules" /usr/lib/bpfilter
chmod +x /usr/lib/bpfilter/load-rules
cp "$packaging/bpfilter.service" "$packaging/bpfilterd.service" /usr/lib/systemd/system
cp "$rules" /etc/bpfilter/rules.v4
# Nothing of the machine's own, and no modules.
rm -rf /etc/systemd/system
mkdir -p /etc/systemd/system
ln -s /dev/null /etc/systemd/system/systemd-modules-load.service
cat > /etc/systemd/system/trial.target <<X
[Unit]
DefaultDependencies=no
Requires=bpfilter.service bpfilterd.service trial-network.service
After=bpfilter.service bpfilterd.service trial-network.service
X
# Stands for whatever brings up the network.
cat > /etc/systemd/system/trial-network.service <<X
[Unit]
DefaultDependencies=no
Wants=network-pre.target
After=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip link set lo up; $node $bin/iptables -S INPUT > /run/rules-at-network-up'
X
mount -t tmpfs none /run
mkdir /run/lock
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
exec env -i container=trial PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=trial.target --log-target=console --show-status=no
