cat > /etc/bf.ferm <<X
domain (ip ip6) table filter {
  chain INPUT { policy DROP; mod state state (ESTABLISHED RELATED) ACCEPT; interface lo ACCEPT; proto tcp dport (ssh http https) ACCEPT; proto udp dport domain REJECT; }
  chain blocked { DROP; }
  chain FORWARD { policy DROP; saddr @ipfilter((10.0.0.0/30 2001:db8::/32)) jump blocked; proto tcp ACCEPT; }
}
domain ip table nat chain POSTROUTING outerface eth9 MASQUERADE;
X
ferm /etc/bf.ferm; echo "status $?"; iptables-save | grep -v '^#'; ip6tables-save | grep -v '^#'
sleep ${PAUSE:-0}; packets loaded
ferm --flush /etc/bf.ferm; echo "status $?"; iptables-save | grep -v '^#'; packets flushed
