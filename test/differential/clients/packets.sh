# packets NAME: lets the test send packets, and goes on when it has compared what became of them.
packets() {
  echo "$1" > "$WORLD/at.new"; mv "$WORLD/at.new" "$WORLD/at"
  tries=0; while [ -e "$WORLD/at" ] && [ $tries -lt 6000 ]; do sleep 0.05; tries=$((tries + 1)); done
}
