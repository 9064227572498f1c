# front-ends.sh NODE BIN COMMAND...: runs COMMAND where `iptables` is the program of that name in BIN, beside a daemon.
set -e
node=$1 bin=$2; shift 2
cat > /run/front-end <<X
#!/bin/sh
name=\${0##*/}
case \$name in *-legacy*) name=\${name%-legacy*}\${name#*-legacy};; esac
PATH=/run/system:\$PATH exec $node $bin/\$name "\$@"
X
chmod +x /run/front-end
# What bpfilter leaves to the system's iptables goes to a copy of it.
mkdir -p /run/system
legacy=$(realpath /usr/sbin/iptables-legacy)
cp "$legacy" /run/system
for program in iptables ip6tables; do for end in "" -save -restore; do
  ln -s "${legacy##*/}" "/run/system/$program-legacy$end"
done; done
# The names of the family are links to this one, and so it is called by whichever name a client prefers.
mount --bind /run/front-end "$legacy"
PATH=/run/system:$PATH "$node" "$bin/bpfilterd" & daemon=$!
trap 'kill $daemon; wait $daemon' EXIT
tries=0; until [ -S /run/bpfilter/bpfilterd.sock ]; do sleep 0.1; tries=$((tries + 1)); [ $tries -lt 600 ]; done
BPFILTER_DEBUG=1 iptables --version > /dev/null
"$@"
