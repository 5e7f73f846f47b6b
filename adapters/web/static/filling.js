// Forms: a command asks for more input in an entry of the conversation, and its button sends the values to the server.

import { answer, element, keepPlace, tell } from "./entries.js";
import { faultOf } from "./picture.js";
import { send } from "./press.js";
import { newKey, patience } from "./talk.js";

const list = document.getElementById("entries");

/** Show a form below its entry; if the form is already open, it keeps its values. */
export function open(html, near) {
  const fresh = element(html);
  const form = document.getElementById(fresh.id) ?? fresh;
  if (form === fresh) keepPlace(() => (near?.isConnected ? near.after(form) : list.append(form)));
  form.scrollIntoView({ block: "nearest" });
  const first = form.querySelector("textarea, select, input:not([type=hidden])");
  first.focus();
  if (first.localName === "textarea") first.setSelectionRange(first.value.length, first.value.length);
}

/** Remove a form, and return the focus to the button that opened it. */
export function close(form) {
  const from = document.querySelector(`[data-wire="${CSS.escape(form.elements.wire.value)}"]`);
  keepPlace(() => form.remove());
  (from ?? document.getElementById("line")).focus();
}

async function submit(form) {
  const button = form.querySelector("[type=submit]");
  if (button.getAttribute("aria-busy") === "true") return;
  // A value that is not a number would be sent as an empty field. The server reports all other mistakes better.
  if ([...form.elements].some((one) => one.validity.badInput && !one.reportValidity())) return;
  const brought = [...form.querySelectorAll("[type=file]")].filter((one) => one.files[0]);
  const fault = brought.map((one) => faultOf(one.files[0], "reads" in one.dataset)).find(Boolean);
  if (fault) {
    tell(form, fault);
    return;
  }
  // An unchanged form sent twice counts once.
  form.dataset.key ||= newKey();
  const values = new FormData(form);
  values.set("key", form.dataset.key);
  button.setAttribute("aria-busy", "true");
  const done = await send(values, form, patience(brought.length));
  button.removeAttribute("aria-busy");
  if (done) settle(form, done);
}

function settle(form, { reply, jobs = [] }) {
  const entry = jobs.length ? document.getElementById(`job-${jobs[0].id}`) : null;
  const said = reply ? element(reply) : null;
  if (entry && said) answer(entry, said);
  keepPlace(() => (entry || !said ? form.remove() : form.replaceChildren(said)));
  entry?.scrollIntoView({ block: "nearest" });
  entry?.focus({ preventScroll: true });
}

list.addEventListener("submit", (event) => {
  event.preventDefault();
  void submit(event.target);
});
list.addEventListener("input", ({ target: { form } }) => {
  if (!form) return;
  delete form.dataset.key;
  tell(form, "");
});
list.addEventListener("keydown", (event) => {
  const { form, localName } = event.target;
  if (!form || event.isComposing) return;
  if (event.key === "Escape") close(form);
  // As in the line: Enter sends, Shift+Enter breaks the line.
  else if (event.key === "Enter" && !event.shiftKey && localName === "textarea") form.requestSubmit();
  else return;
  event.preventDefault();
});
