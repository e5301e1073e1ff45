// Records what the AWS SDK for JavaScript sends. Reads a plan (see ../plan.py) on stdin and writes the requests, one JSON
// line each, on stdout. Nothing is sent: the request handler takes the request after all middleware.
//
// usage: node record.mjs < plan.jsonl > requests.jsonl

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";

const GATEWAY = "https://gateway.test";

class Captured extends Error {
  constructor(request) {
    super("captured");
    this.request = request;
    // The retry strategy must not take this for a failure of the network.
    this.$retryable = undefined;
  }
}

const handler = {
  metadata: { handlerProtocol: "http/1.1" },
  handle: async (request) => {
    throw new Captured(request);
  },
};

function value([tag, content]) {
  switch (tag) {
    case "blob":
      return new Uint8Array(Buffer.from(content, "base64"));
    case "time":
      return new Date(content);
    case "list":
      return content.map(value);
    case "map":
    case "struct":
      return Object.fromEntries(content.map(([name, inner]) => [name, value(inner)]));
    case "events":
      return (async function* () {})();
    default:
      return content;
  }
}

async function bytes(body) {
  if (body === undefined || body === null) return Buffer.alloc(0);
  if (typeof body === "string") return Buffer.from(body);
  if (body instanceof Uint8Array) return Buffer.from(body);
  // An event stream never ends by itself before somebody answers; its events are not read here.
  if (body instanceof Readable) body.on("error", () => {});
  return Buffer.alloc(0);
}

function url(request) {
  const encode = encodeURIComponent;
  const escape = (text) => encode(text).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
  const pairs = [];
  for (const name of Object.keys(request.query ?? {}).sort()) {
    const given = request.query[name];
    for (const one of Array.isArray(given) ? given : [given]) {
      pairs.push(one === null || one === undefined ? escape(name) : `${escape(name)}=${escape(String(one))}`);
    }
  }
  const port = request.port ? `:${request.port}` : "";
  const query = pairs.length ? `?${pairs.join("&")}` : "";
  return `${request.protocol}//${request.hostname}${port}${request.path}${query}`;
}

// The packages are of different ages: a member that one does not know is not sent, so it is not expected either.
// Gives what is left of the parameters, as they are tagged and as they are expected.
function known(names, [tag, content], expected) {
  if (tag === "list") {
    const items = content.map((item, place) => known(names, item, expected[place]));
    return [[tag, items.map(([input]) => input)], items.map(([, plain]) => plain)];
  }
  if (tag !== "struct" && tag !== "map") return [[tag, content], expected];
  const kept = content.filter(([name]) => tag === "map" || names.has(name));
  dropped += content.length - kept.length;
  const entries = kept.map(([name, inner]) => {
    // Names of headers have no letter case on the wire, so the plan expects them in lower case.
    const key = name in expected ? name : name.toLowerCase();
    return [name, key, inner[0] === "events" ? [inner, undefined] : known(names, inner, expected[key])];
  });
  return [
    [tag, entries.map(([name, , [input]]) => [name, input])],
    Object.fromEntries(entries.map(([, key, [, plain]]) => [key, plain])),
  ];
}

// Every text of a package's schemas, among them the names of all members. Packages of an older make have no schemas and send
// whatever they are given.
function textsOf(name) {
  const folder = new URL(`./node_modules/@aws-sdk/${name}/dist-es/schemas/`, import.meta.url);
  if (!existsSync(folder)) return { has: () => true };
  const source = readdirSync(folder).filter((file) => file.endsWith(".js")).map((file) => readFileSync(new URL(file, folder), "utf8"));
  return new Set([...source.join("\n").matchAll(/"([A-Za-z0-9_.-]+)"/g)].map(([, text]) => text));
}

let dropped = 0;
const modules = new Map();

async function moduleOf(serviceId) {
  const name = "client-" + serviceId.toLowerCase().replaceAll(" ", "-");
  if (!modules.has(name)) {
    const module = await import(`@aws-sdk/${name}`).catch(() => null);
    modules.set(name, module && { module, names: textsOf(name) });
  }
  return modules.get(name);
}

function clientOf(module, style, service) {
  const [, Client] = Object.entries(module).find(([name]) => name.endsWith("Client") && !name.startsWith("__"));
  return new Client({
    region: "eu-central-1",
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" },
    requestHandler: handler,
    // That streams are not sent again is no news.
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    maxAttempts: 1,
    useQueueUrlAsEndpoint: false,
    ...(style === "gateway" ? { endpoint: GATEWAY } : {}),
    // There is no name in front of the endpoint of a service.
    ...(style === "service" ? { endpoint: `${GATEWAY}/_/as/${service}`, disableHostPrefix: true } : {}),
    ...(style === "path" || style === "service" ? { forcePathStyle: true } : {}),
  });
}

const clients = new Map();
const skipped = new Map();
let written = 0;

for await (const text of createInterface({ input: process.stdin })) {
  const plan = JSON.parse(text);
  const skip = (reason) => skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
  const found = await moduleOf(plan.service_id);
  if (!found) {
    skip(`no package for ${plan.service}`);
    continue;
  }
  const { module, names } = found;
  const [input, params] = known(names, ["struct", plan.input], plan.params);
  const key = `${plan.service} ${plan.style}`;
  if (!clients.has(key)) clients.set(key, clientOf(module, plan.style, plan.service));
  const Command = Object.entries(module).find(([name]) => name.toLowerCase() === `${plan.operation}Command`.toLowerCase())?.[1];
  if (!Command) {
    skip(`no command ${plan.service}:${plan.operation}`);
    continue;
  }
  let captured;
  try {
    await clients.get(key).send(new Command(value(input)));
    skip("nothing was captured");
    continue;
  } catch (error) {
    if (!(error instanceof Captured)) {
      skip(`${error.name}: ${String(error.message).slice(0, 80)} (${plan.service}:${plan.operation})`);
      continue;
    }
    captured = error.request;
  }
  const body = await bytes(captured.body);
  const { service, operation, kind, style } = plan;
  process.stdout.write(
    JSON.stringify({
      method: captured.method,
      url: url(captured),
      headers: captured.headers,
      body_b64: body.toString("base64"),
      expect: { client: "js", service, operation, kind, style, params },
    }) + "\n",
  );
  written += 1;
}

console.error(`${written} requests; ${dropped} members that the packages do not know were left out`);
for (const [reason, count] of [...skipped].sort()) console.error(`skipped ${count}: ${reason}`);
