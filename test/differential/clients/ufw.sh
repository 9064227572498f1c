show() { iptables-save | grep -v '^#'; ip6tables-save | grep -v '^#'; }
ufw --force enable; echo "status $?"; show
ufw allow 22/tcp; ufw deny from 10.0.0.5; ufw limit ssh; ufw allow proto udp from 10.1.0.0/16 to any port 53
sleep ${PAUSE:-0}
ufw insert 1 deny from 10.0.0.6 to any port 80; ufw reject out 25/tcp
ufw status numbered; show
ufw --force delete 1; ufw delete allow 22/tcp; ufw status verbose; show
ufw logging high; show
ufw default allow incoming; ufw reload; show
ufw disable; show
ufw --force reset >/dev/null; show; echo end
