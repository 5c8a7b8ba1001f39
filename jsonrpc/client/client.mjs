// Calls MathService over JSON-RPC from Node.js (tutorial §4.4).
import net from "node:net";

const hint = "; is that the address of jsonrpc/server? -addr sets another";
const flags = { addr: "localhost:1236", a: "10", b: "20", timeout: "5s" };

function fail(message, exitCode = 1) {
  console.error("client.mjs: " + message.replace(/[\p{C}\p{Z}]/gu, " ")); // a peer's text too
  process.exit(exitCode);
}

// Beyond 2^53 Number and JSON.parse round without a word.
function integer(name, value, exitCode) {
  if (Number.isSafeInteger(value)) return value;
  fail(`${name} is no integer that JavaScript holds exactly (up to 2^53 - 1)`, exitCode);
}

process.stdout.on("error", (error) => fail(error.message));
for (const words = process.argv.slice(2); words.length > 0; ) {
  const [, name, inline] = words.shift().match(/^--?(\w+)(?:=(.*))?$/s) ?? [];
  if (!Object.hasOwn(flags, name ?? "")) fail("usage: client.mjs [-addr localhost:1236] [-a 10] [-b 20] [-timeout 5s]", 2);
  flags[name] = inline ?? words.shift() ?? fail(`-${name} needs a value`, 2);
}
const [a, b] = ["a", "b"].map((name) => integer(`-${name}`, /^[+-]?\d+$/.test(flags[name]) ? Number(flags[name]) : NaN, 2));
const [, host, port] = flags.addr.match(/^(\[.+\]|[^:]*):(\d{1,5})$/) ?? [];
if (!(port <= 65535)) fail(`-addr ${flags.addr}: want host:port, such as localhost:1236`, 2);
const [, number, unit] = flags.timeout.match(/^(\d+(?:\.\d+)?)(ms|s|m|h)$/)
  ?? fail(`-timeout ${flags.timeout} is not a time such as 500ms, 5s, 1m or 1h`, 2);
const milliseconds = number * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit];

// One timer bounds everything: the name look-up, the connection and both calls. (Its
// line comes in time, but process.exit waits for a look-up that the system still tries.)
const giveUp = () => fail(`no answer from ${flags.addr} within ${flags.timeout}${hint}`);
setTimeout(giveUp, Math.min(milliseconds, 2 ** 31 - 1)).unref(); // what it can hold

const socket = net.connect({ host: host.replace(/[[\]]/g, "") || "localhost", port }).setEncoding("utf8");
const chunks = socket[Symbol.asyncIterator]();
let received = "";

// A JSON value ends itself. Another server need not end a line after it.
async function receive() {
  for (;;) {
    received = received.trimStart();
    for (let end = received.indexOf("}") + 1; end > 0; end = received.indexOf("}", end) + 1) {
      try {
        const text = received.slice(0, end);
        JSON.parse(text);
        received = received.slice(end);
        return text;
      } catch {} // it has not come to its end, or never will
    }
    if (!/^(\{|$)/.test(received) || received.length > 4096) throw new Error(received.slice(0, 4096));
    const { value, done } = await chunks.next();
    if (done) fail(`the connection was closed without an answer${hint}`);
    received += value;
  }
}

async function call(method) {
  // The dialect of net/rpc/jsonrpc: version 1.0, params an array of one object.
  socket.write(JSON.stringify({ method, params: [{ A: a, B: b }], id: 1 }));
  const text = await receive();
  const answer = JSON.parse(text);
  if (typeof answer.error === "string") fail(`${method}(${a}, ${b}): ${answer.error}`);
  // JSON.parse would make an integer of 1.00000000000000001.
  if (answer.id !== 1 || answer.error !== null || /\d[.eE]/.test(text)) throw new Error(text);
  return answer.result;
}

try {
  const product = integer("the product", await call("MathService.Multiply"));
  console.log(`MathService.Multiply(${a}, ${b}) = ${product}`);
  const quotient = await call("MathService.Divide");
  const [quo, rem] = [integer("Quo", quotient?.Quo), integer("Rem", quotient?.Rem)];
  console.log(`MathService.Divide(${a}, ${b}) = ${quo} remainder ${rem}`);
  socket.destroy();
} catch (error) {
  const text = error.message || error.code; // the first is empty if localhost has two addresses
  if (error.code === "ECONNREFUSED") fail(`${text}; start it with: go run ./jsonrpc/server -addr ${flags.addr}`);
  fail(error.syscall ? text + hint : `not an answer of MathService: ${text}${hint}`);
}
