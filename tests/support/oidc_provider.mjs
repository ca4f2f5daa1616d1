// npm's oidc-provider on a free port of the loopback: node tests/support/oidc_provider.mjs
//
// Prints {"issuer"} when it listens, and ends with its standard input. Beside the provider there is a door for tests: PUT /test/accounts
// sets who there is (name -> claims), POST /test/keys replaces the signing key as a rotation does.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

let accounts = {};
let current;
let issuer = "";

// What the provider remembers, which outlives a rotation. Everything ends with the process, so nothing expires.
const remembered = new Map();
class Memory {
  constructor(kind) { this.kind = kind; }
  async upsert(id, payload) { remembered.set(`${this.kind}:${id}`, payload); }
  async find(id) { return remembered.get(`${this.kind}:${id}`); }
  async findByUid(uid) { return [...remembered].find(([key, one]) => key.startsWith(`${this.kind}:`) && one.uid === uid)?.[1]; }
  async consume(id) { remembered.get(`${this.kind}:${id}`).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { remembered.delete(`${this.kind}:${id}`); }
  async revokeByGrantId(id) { for (const [key, one] of remembered) if (one.grantId === id) remembered.delete(key); }
}

function newKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: "RS256" };
}

function newProvider() {
  const provider = new Provider(issuer, {
    adapter: Memory,
    jwks: { keys: [newKey()] },
    cookies: { keys: ["a key for tests"] },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
    scopes: ["openid", "email", "profile", "groups"],
    pkce: { required: () => true },
    features: { registration: { enabled: true }, rpInitiatedLogout: { enabled: true }, devInteractions: { enabled: true } },
    findAccount: (_, id) => (accounts[id] ? { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) } : undefined),
  });
  return provider.callback();
}

async function body(request) {
  let text = "";
  for await (const piece of request) text += piece;
  return JSON.parse(text || "null");
}

const server = createServer(async (request, response) => {
  if (request.url === "/test/accounts") accounts = await body(request);
  else if (request.url === "/test/keys") current = newProvider();
  else return current(request, response);
  response.end("done");
});
server.listen(0, "127.0.0.1", () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  current = newProvider();
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);
});
process.stdin.on("end", () => process.exit(0)).resume();
