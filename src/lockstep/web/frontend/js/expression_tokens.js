// The tokens of an expression, as the server reads them (engine/expressions/parser.py); what it would refuse is a token of the kind "other".
const TOKEN = new RegExp(
  [
    String.raw`(?<blank>\s+)`,
    String.raw`(?<text>"(?:[^"\\]|\\[\s\S])*"?)`,
    String.raw`(?<attribute>\[[^\[\]"]*\]?)`,
    String.raw`(?<word>[A-Za-z_][A-Za-z0-9_]*)`,
    String.raw`(?<number>&[Hh][0-9A-Fa-f]+|[+-]?[0-9]+)`,
    String.raw`(?<mark>[(),]|<>|<=|>=|[=<>])`,
    String.raw`(?<other>[\s\S])`,
  ].join("|"),
  "g",
);

export function tokens(expression) {
  return [...expression.matchAll(TOKEN)].map((match) => {
    const [kind, text] = Object.entries(match.groups).find(([, value]) => value !== undefined);
    return { kind, text, begin: match.index };
  });
}

// The call around the caret: {name, argument} with the place of the argument, or null outside of every call.
export function callAt(expression, caret) {
  const calls = [];
  let before = null;
  for (const token of tokens(expression.slice(0, caret))) {
    if (token.text === "(") calls.push({ name: before?.kind === "word" ? before.text : "", argument: 0 });
    else if (token.text === ")") calls.pop();
    else if (token.text === "," && calls.length > 0) calls.at(-1).argument += 1;
    if (token.kind !== "blank") before = token;
  }
  return calls.at(-1) ?? null;
}
