# world.sh DIRECTORY COMMAND...: runs COMMAND with an /etc, /run, /var/lib and /var/log of its own, in which `iptables` is iptables-legacy.
set -e
export WORLD=$1; shift
D=$WORLD
mount --make-rprivate /
mkdir -p "$D/etc" "$D/lib" "$D/log" "$D/run/bpfilter" "$D/run/fail2ban"
cp -a /etc/. "$D/etc"
sed -i 's/^hosts:.*/hosts: files/' "$D/etc/nsswitch.conf"
for name in ufw fail2ban; do [ ! -d "/var/lib/$name" ] || cp -a "/var/lib/$name" "$D/lib"; done
for program in iptables ip6tables; do for end in "" -save -restore; do
  ln -sf "/usr/sbin/$program-legacy$end" "$D/etc/alternatives/$program$end"
done; done
mount --bind "$D/etc" /etc
mount --bind "$D/lib" /var/lib
mount --bind "$D/log" /var/log
mount --bind "$D/run" /run
unset XTABLES_LOCKFILE
exec "$@"
