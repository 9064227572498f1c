// Sends datagrams to itself until its standard input ends, and then says how many: node sender.mjs PORT
import { createSocket } from 'node:dgram';

const port = Number(process.argv[2]);
const socket = createSocket('udp4');
let sent = 0;
let ended = false;
process.stdin.on('end', () => {
  ended = true;
});
process.stdin.resume();
const next = () => {
  if (!ended) {
    socket.send('x', port, '127.0.0.1', (error) => {
      if (error === null) sent++;
      setImmediate(next);
    });
    return;
  }
  process.stdout.write(`${sent}\n`);
  socket.close();
};
socket.bind(port, '127.0.0.1', next);
