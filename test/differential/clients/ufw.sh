show() { iptables-save | grep -v '^#'; ip6tables-save | grep -v '^#'; }
ufw --force enable; echo "status $?"; show; packets enabled
ufw allow 443/tcp; ufw deny from 10.0.0.5; ufw limit ssh
ufw allow proto udp from 10.1.0.0/16 to any port 53
sleep ${PAUSE:-0}; packets rules
ufw insert 1 deny from 10.0.0.6 to any port 80; ufw reject out 25/tcp; ufw limit 80/tcp
ufw status numbered; show; packets more-rules
ufw --force delete 1; ufw delete allow 443/tcp; ufw status verbose; show; packets deleted
ufw logging high; show; packets logging
ufw default allow incoming; ufw reload; show; packets reloaded
ufw disable; show; packets disabled
ufw --force reset >/dev/null; show; packets reset; echo end
