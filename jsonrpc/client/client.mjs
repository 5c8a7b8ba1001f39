// Calls MathService over JSON-RPC from Node.js (tutorial §4.4).
import net from "node:net";
import readline from "node:readline";

const flags = { addr: "localhost:1236", a: "10", b: "20", timeout: "5s" };

function fail(message, exitCode = 1) {
  console.error(`client.mjs: ${message}`);
  process.exit(exitCode);
}

process.stdout.on("error", (error) => fail(error.message));

function needsServer(message) {
  fail(`${message}; the server it needs: go run ./jsonrpc/server -addr ${flags.addr}`);
}

// A number in JavaScript is exact up to 2^53. JSON.parse rounds what is larger
// without a word, so whatever arrives beyond that is refused as well.
function exact(name, number) {
  if (!Number.isSafeInteger(number)) {
    fail(`${name} is no integer that JavaScript holds exactly (up to 2^53 - 1)`);
  }
  return number;
}

// Milliseconds in a Go duration such as 500ms, 5s or 1m30s.
function duration(text) {
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) fail(`-timeout ${text} is not a duration such as 500ms`, 2);
  return [...text.matchAll(/([\d.]+)(ms|s|m|h)/g)].reduce((sum, [, n, unit]) => sum + n * units[unit], 0);
}

const words = process.argv.slice(2);
while (words.length > 0) {
  const [, name, inline] = words.shift().match(/^--?(\w+)(?:=(.*))?$/s) ?? [];
  if (!Object.hasOwn(flags, name ?? "")) fail("usage: client.mjs [-addr localhost:1236] [-a 10] [-b 20] [-timeout 5s]", 2);
  flags[name] = inline ?? words.shift() ?? fail(`-${name} needs a value`, 2);
}
for (const name of ["a", "b"]) {
  if (!/^[+-]?\d+$/.test(flags[name])) fail(`-${name} ${flags[name]} is not an integer`, 2);
}
const a = exact("-a", Number(flags.a));
const b = exact("-b", Number(flags.b));

// One timer bounds everything: the connection and both calls.
const timer = setTimeout(
  () => needsServer(`no answer from ${flags.addr} within ${flags.timeout}`),
  Math.min(duration(flags.timeout), 2 ** 31 - 1), // what setTimeout can hold
);
const [, host, port] = flags.addr.match(/^\[?(.*?)\]?:(\d{1,5})$/) ?? [];
if (!(port < 65536)) needsServer(`-addr ${flags.addr} is not host:port`);
const socket = net.connect({ host, port });
socket.on("error", (error) => needsServer(error.message || error.code));
let unfinished = 0; // bytes since the last line feed, to which readline sets no limit
socket.on("data", (data) => {
  unfinished = data.includes("\n") ? 0 : unfinished + data.length;
  if (unfinished > 2 ** 20) needsServer("not an answer of MathService: a line without an end");
});
const lines = readline.createInterface({ input: socket })[Symbol.asyncIterator]();

// Send one request, wait for its response and return the result.
async function call(method) {
  const name = `${method}(${a}, ${b})`;
  // The dialect of net/rpc/jsonrpc: version 1.0, params an array of one object.
  socket.write(JSON.stringify({ method, params: [{ A: a, B: b }], id: 1 }) + "\n");
  const { value: line, done } = await lines.next();
  if (done) needsServer(`${name}: the connection was closed without an answer`);
  const response = JSON.parse(line);
  if (response?.id !== 1) throw new Error("not a JSON-RPC response");
  if (response.error != null) fail(`${name}: ${typeof response.error === "string" ? response.error : line}`);
  if (/\d[.eE]/.test(line)) throw new Error("not an integer"); // JSON.parse rounds it
  return response.result;
}

try {
  const product = exact("the product", await call("MathService.Multiply"));
  console.log(`MathService.Multiply(${a}, ${b}) = ${product}`);
  const { Quo, Rem } = await call("MathService.Divide");
  console.log(`MathService.Divide(${a}, ${b}) = ${exact("Quo", Quo)} remainder ${exact("Rem", Rem)}`);
} catch (error) {
  needsServer(`not an answer of MathService: ${error.message}`);
}
clearTimeout(timer);
socket.destroy();
