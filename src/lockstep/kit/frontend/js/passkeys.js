// data-passkey="get" or "create" on a button asks the browser for a passkey with the JSON in data-options, and submits its form with the response.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const isPossible = Boolean(window.PublicKeyCredential) && !/^[\d.]+$|:/.test(location.hostname); // not for IP addresses

function read(options) {
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const list of [options.allowCredentials, options.excludeCredentials]) for (const one of list ?? []) one.id = bytes(one.id);
  return options;
}

function written(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
    if (credential.response[name]) response[name] = text(credential.response[name]);
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response, clientExtensionResults: {} });
}

for (const button of document.querySelectorAll("[data-passkey]")) {
  if (!isPossible) continue;
  button.hidden = false;
  button.parentElement.querySelector("[data-passkey-none]").hidden = true;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-passkey]");
  if (!button) return;
  const { form } = button;
  const error = button.parentElement.querySelector("[data-passkey-error]");
  error.hidden = true;
  if (!form.reportValidity()) return;
  try {
    const publicKey = read(JSON.parse(button.dataset.options));
    form.elements.passkey.value = written(await navigator.credentials[button.dataset.passkey]({ publicKey }));
    form.requestSubmit();
  } catch (refused) { // cancelled, too late, or no passkey on this device
    error.textContent = refused.name === "InvalidStateError" ? "This device already has a passkey for you." : "The device returned no passkey. Try again.";
    error.hidden = false;
  }
});
