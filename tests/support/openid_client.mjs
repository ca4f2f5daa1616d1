// npm's openid-client as an application: node tests/support/openid_client.mjs ISSUER CLIENT_ID CLIENT_SECRET REDIRECT_URI BYE
//
// Prints {"url"} for the browser, reads from standard input the address to which the browser was sent back, and prints what it learned.
// An empty CLIENT_SECRET makes it a public client.
import { createInterface } from "node:readline/promises";
import * as client from "openid-client";

const [issuer, id, secret, redirectUri, bye] = process.argv.slice(2);
const authentication = secret ? client.ClientSecretBasic(secret) : client.None();
const config = await client.discovery(new URL(issuer), id, undefined, authentication, { execute: [client.allowInsecureRequests] });
client.enableNonRepudiationChecks(config); // verify the signature of ID tokens, too

const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const nonce = client.randomNonce();
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri, scope: "openid profile email offline_access", state, nonce,
  code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
});
process.stdout.write(`${JSON.stringify({ url })}\n`);

const lines = createInterface({ input: process.stdin });
const callback = new URL(await lines.question(""));
const tokens = await client.authorizationCodeGrant(config, callback, {
  pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
});
const claims = tokens.claims();
const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
const logout = client.buildEndSessionUrl(config, { id_token_hint: renewed.id_token, post_logout_redirect_uri: bye });
await client.tokenRevocation(config, renewed.refresh_token);
const refused = await client.refreshTokenGrant(config, renewed.refresh_token).then(() => "", (error) => error.error);
process.stdout.write(`${JSON.stringify({ claims, info, renewed: renewed.claims().sub, logout, refused })}\n`);
lines.close();
