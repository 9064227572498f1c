# A life of the Debian package, in a copy of the system that is thrown away (an overlay in a mount namespace of its own).
# install.sh WORK DEB; the calling network namespace is the one that gets the rules. A line "== name" begins each part.
set -eu
work=$1
deb=$2
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
root=$work/root
mount --bind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -t tmpfs tmpfs "$root/run"
cp "$deb" "$root/run/bpfilter.deb"
inside() { chroot "$root" "$@"; }
# nodejs need not be here as a package.
install() { inside dpkg -i --force-depends --force-confold /run/bpfilter.deb >/dev/null; }

echo "== installed"
install
inside bpfilter --version
inside update-alternatives --query iptables | grep -E '^(Status|Value):'
inside update-alternatives --query iptables | grep -A 4 'Alternative: /usr/lib/bpfilter' | tr '\n' ' '
echo
inside update-alternatives --query ip6tables | grep -c 'Alternative: /usr/lib/bpfilter/bin/ip6tables'
echo "== units"
for unit in bpfilter bpfilterd; do
  if [ -e "$root/usr/lib/systemd/system/$unit.service" ]; then
    # Only what is wrong with the unit itself; the machine's other units are not ours.
    if inside test -x /usr/bin/systemd-analyze; then inside systemd-analyze verify "/usr/lib/systemd/system/$unit.service" 2>&1 | grep "$unit" || true; fi
  fi
done
echo "== loaded"
cat >"$root/etc/bpfilter/rules.v4" <<'RULES'
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -s 127.0.0.1/32 -i lo -j ACCEPT
COMMIT
RULES
inside /usr/lib/bpfilter/load-rules >/dev/null
inside update-alternatives --set iptables /usr/lib/bpfilter/bin/iptables >/dev/null
inside iptables --version
inside iptables -S
echo "== upgraded"
printf x >"/dev/udp/127.0.0.1/9" || true
install
inside iptables-save -c | grep -e '-A INPUT'
inside update-alternatives --query iptables | grep '^Value:'
echo "== faulty rules"
cp "$root/etc/bpfilter/rules.v4" "$work/good"
echo '*filter
-A INPUT -j NOWHERE
COMMIT' >"$root/etc/bpfilter/rules.v4"
inside /usr/lib/bpfilter/load-rules >/dev/null 2>&1 || echo "status $?"
inside iptables -S INPUT
echo "== removed"
inside dpkg -r bpfilter >/dev/null
inside update-alternatives --query iptables | grep -E '^(Status|Value):'
inside iptables-legacy-save -c | grep -e INPUT
ls "$root/etc/bpfilter"
inside sh -c 'ls /usr/lib/bpfilter /usr/sbin/bpfilter 2>/dev/null | wc -l'
