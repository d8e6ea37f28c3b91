// An OpenID provider for the tests: the npm oidc-provider with a one-field login form (any name with
// the right password is a user), consent given by itself, everything in memory.
//
//   node idp.js PORT CLIENTS.json      client metadata; serves http://127.0.0.1:PORT
//
//   POST /test/rotate-keys             a new signing key; the old one stays in the JWKS
//   GET  /test/counts                  how often things happened: logins, logouts, JWKS reads
import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const [port, clientsFile] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const clients = JSON.parse(readFileSync(clientsFile, 'utf8'));
const password = 'correct horse battery';
const counts = { logins: 0, logouts: 0, jwks: 0, discovery: 0, tokens: 0 };

const makeKey = () => ({
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
  kid: randomUUID(), use: 'sig', alg: 'RS256',
});
let keys = [makeKey()];

// Every model in one map each, kept for the life of the process.
const stores = new Map();
class Memory {
  constructor(model) {
    if (!stores.has(model)) stores.set(model, new Map());
    this.model = model;
    this.store = stores.get(model);
  }
  async upsert(id, payload) { this.store.set(id, payload); }
  async find(id) { return this.store.get(id); }
  async findByUid(uid) { return [...this.store.values()].find((one) => one.uid === uid); }
  async findByUserCode(code) { return [...this.store.values()].find((one) => one.userCode === code); }
  async consume(id) { this.store.get(id).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { this.store.delete(id); }
  async revokeByGrantId(grantId) {
    for (const store of stores.values()) {
      for (const [id, one] of store) if (one.grantId === grantId) store.delete(id);
    }
  }
}

const cookieKey = randomUUID();
function makeProvider() {
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys },
    adapter: Memory,
    cookies: { keys: [cookieKey] },
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email'] },
    conformIdTokenClaims: false, // profile claims in the ID token too
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: async (ctx, form) => {
          ctx.body = `<!doctype html><title>Log out?</title>${form}
            <button form="op.logoutForm" name="logout" value="yes">Log out</button>`;
        },
      },
    },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: async (_, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, name: `Person ${id}`, preferred_username: id, email: `${id}@example.test` }),
    }),
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId,
      });
      grant.addOIDCScope('openid profile email offline_access');
      await grant.save();
      return grant;
    },
    ttl: { Session: 3600, Interaction: 600, Grant: 3600, IdToken: 600, AccessToken: 600, AuthorizationCode: 60 },
    renderError: async (ctx, out) => {
      ctx.type = 'text';
      ctx.body = `${out.error}: ${out.error_description ?? ''}\n`;
    },
  });
  provider.on('server_error', (_, error) => console.error('server_error', error));
  provider.on('authorization.error', (_, error) => console.error('authorization.error', error.message, error.error_description));
  provider.on('grant.error', (_, error) => console.error('grant.error', error.message, error.error_description));
  provider.on('end_session.success', () => { counts.logouts += 1; });
  provider.on('grant.success', () => { counts.tokens += 1; });
  return provider;
}

let provider = makeProvider();
let handle = provider.callback();

async function interact(request, response) {
  if (request.method === 'GET') {
    response.setHeader('Content-Type', 'text/html');
    response.end(`<!doctype html><title>Sign in</title><form method="post" action="${request.url}">
      <input name="username" autofocus><input name="password" type="password"><button>Sign in</button></form>`);
    return;
  }
  let body = '';
  for await (const piece of request) body += piece;
  const form = new URLSearchParams(body);
  if (form.get('password') !== password || !/^[a-z0-9-]{1,40}$/.test(form.get('username') ?? '')) {
    response.statusCode = 401;
    response.end('wrong name or password\n');
    return;
  }
  counts.logins += 1;
  await provider.interactionFinished(request, response, { login: { accountId: form.get('username') } });
}

createServer(async (request, response) => {
  try {
    if (request.url.startsWith('/interaction/')) return await interact(request, response);
    if (request.url === '/test/counts') return response.end(JSON.stringify(counts));
    if (request.url === '/test/rotate-keys' && request.method === 'POST') {
      keys = [makeKey(), ...keys];
      provider = makeProvider();
      handle = provider.callback();
      return response.end(JSON.stringify({ kid: keys[0].kid }));
    }
    if (request.url.startsWith('/jwks')) counts.jwks += 1;
    if (request.url.startsWith('/.well-known/')) counts.discovery += 1;
    return handle(request, response);
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    return response.end('error\n');
  }
}).listen(Number(port), '127.0.0.1', 1024, () => console.log(`listening at ${issuer}`));
