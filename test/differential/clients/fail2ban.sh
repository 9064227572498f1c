show() { iptables-save | grep -v '^#'; }
C="fail2ban-client -c /run/f2b -s /run/fail2ban/f.sock -p /run/fail2ban/f.pid"
# banned ADDRESS: waits until it is.
banned() { tries=0; until $C status sshd | grep -q "Banned.*$1" || [ $tries = 40 ]; do sleep 0.25; tries=$((tries + 1)); done; sleep 0.5; }
mkdir -p /run/f2b; cp -a /etc/fail2ban/. /run/f2b; touch /run/auth.log
cat > /run/f2b/jail.local <<X
[DEFAULT]
banaction = iptables-multiport
banaction_allports = iptables-allports
allowipv6 = no
[sshd]
enabled = true
backend = polling
logpath = /run/auth.log
X
cat > /run/f2b/fail2ban.local <<X
[Definition]
logtarget = /run/f2b.log
dbfile = None
X
$C start; echo "status $?"; sleep 1
for i in 1 2 3 4 5; do $C set sshd banip 10.0.0.$i; done; sleep 2; show; packets banned
# Somebody guesses passwords.
for i in 1 2 3 4 5 6; do echo "$(date '+%b %e %T') host sshd[77]: Failed password for root from 10.0.0.33 port 500$i ssh2" >> /run/auth.log; done
banned 10.0.0.33; show; packets guessed
$C set sshd unbanip 10.0.0.2; sleep 1; show; packets unbanned
$C status sshd | grep -i banned
if [ -n "$LONG" ]; then $C set sshd banip 10.0.0.9; sleep 1; $C reload >/dev/null; sleep 1; show; packets reloaded; fi
$C stop; sleep 1; show; packets stopped; rm -r /run/f2b; grep -iE "error|warn" /run/f2b.log
