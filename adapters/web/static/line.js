// A line as the server reads it: a command, words, and flags. This module only takes lines apart and puts them together again.

/** The command of a line without a command. */
const PAINT = "imagine";

const COMMAND = /^\s*\/([A-Za-z][\w-]*)(\s+|$)/;
const WORD = /^([\w-]+)(\s+|$)/;
const FLAG = /(^|\s)(?:--|[—–])([A-Za-z][^\s=]*)(=|\s*)/g;
const QUOTED = /^["“”„«]([^"“”„«»]*)["“”»]/;
const PLAIN_WORD = 32;

const same = (name) => name.toLowerCase().replaceAll("-", "_");

/** Return a parameter by any of its names. */
export function paramOf(command, name) {
  return command?.params.find((one) => [one.name, ...one.also].some((known) => same(known) === same(name)));
}

/** Return the command of a line and the position where its words begin. */
export function commandOf(text, commands) {
  const found = COMMAND.exec(text);
  const name = found ? same(found[1]) : PAINT;
  const command = commands.find((one) => one.name === name);
  const start = found ? found[0].length : 0;
  // Two words can form one command: `/preset use`.
  const second = command || !found ? null : WORD.exec(text.slice(start));
  const joined = second && commands.find((one) => one.name === `${name}_${same(second[1])}`);
  return joined ? { command: joined, start: start + second[0].length } : { command, start };
}

/** Return whether the command of a line reads a file instead of starting from a picture. */
export function takesFile(text, commands) {
  return commandOf(text, commands).command?.params.some((one) => one.kind === "file") ?? false;
}

/** Return the names of the picture parameters of a line's command, in the order in which pictures fill them. */
export function pictureNames(text, commands) {
  return (commandOf(text, commands).command?.params ?? []).filter((one) => one.kind === "picture").map((one) => one.name);
}

/** Return whether an unquoted value continues to the next flag. */
export function runsOn(param) {
  return param.kind === "text" && !param.choices.length && (param.longest ?? Infinity) > PLAIN_WORD;
}

/** Return every flag of a text that a command knows: its parameter, its position, its value. */
export function flags(text, command) {
  const all = [...text.matchAll(FLAG)].map((match) => ({
    at: match.index + match[1].length,
    from: match.index + match[0].length,
    nameEnd: match.index + match[0].length - match[3].length,
    equals: match[3] === "=",
    param: paramOf(command, match[2]),
  }));
  return all.map((flag, number) => ({ ...flag, ...valueOf(text, flag, all[number + 1]?.at ?? text.length) })).filter((flag) => flag.param);
}

function valueOf(text, { from, nameEnd, equals, param }, end) {
  const rest = text.slice(from, end);
  const word = /^\S*/.exec(rest)[0];
  if (param?.kind === "yes-no" && !equals) {
    return /^(on|off|yes|no|true|false)$/i.test(word) ? { value: word, to: from + word.length } : { value: "yes", to: nameEnd };
  }
  const quoted = QUOTED.exec(rest);
  if (quoted) return { value: quoted[1].trim(), to: from + quoted[0].length };
  if (param && runsOn(param)) return { value: rest.trim(), to: from + rest.trimEnd().length };
  return { value: word, to: from + word.length };
}

/** Return a line taken apart: its command, its words, and the values of its flags by parameter. */
export function read(text, commands) {
  const { command, start } = commandOf(text, commands);
  const said = text.slice(start);
  const values = new Map();
  let words = "";
  let done = 0;
  for (const flag of command ? flags(said, command) : []) {
    words += said.slice(done, flag.at);
    values.set(flag.param.name, flag.value);
    done = flag.to;
  }
  words += said.slice(done);
  return { command, head: text.slice(0, start), words: words.replace(/[ \t]{2,}/g, " ").trim(), values };
}

/** Return a value as it is written in a line. */
export function written(param, value) {
  return runsOn(param) || /\s/.test(value) ? `"${value.replace(/["“”„«»]/g, "'")}"` : value;
}

/** Return the line of a command's words and values. */
export function write({ command, head, words, values }) {
  const spoken = command.params
    .filter((param) => values.get(param.name))
    .map((param) => `--${param.name}${param.kind === "yes-no" ? `=${values.get(param.name)}` : ` ${written(param, values.get(param.name))}`}`);
  return head + [words, ...spoken].filter(Boolean).join(" ");
}
