// Forms: a command asks for more, in an entry of the conversation, and what is filled in goes to the server with its button.

import { answer, element, keepPlace, tell } from "./entries.js";
import { faultOf } from "./picture.js";
import { send } from "./press.js";
import { newKey, patience } from "./talk.js";

const list = document.getElementById("entries");

/** Show a form below the entry that it is about; one that is open already stays as it was filled in. */
export function open(html, near) {
  const fresh = element(html);
  const form = document.getElementById(fresh.id) ?? fresh;
  if (form === fresh) keepPlace(() => (near?.isConnected ? near.after(form) : list.append(form)));
  form.scrollIntoView({ block: "nearest" });
  const first = form.querySelector("textarea, select, input:not([type=hidden])");
  first.focus();
  if (first.localName === "textarea") first.setSelectionRange(first.value.length, first.value.length);
}

/** Take a form away; whoever filled it in is where they came from. */
export function close(form) {
  const from = document.querySelector(`[data-wire="${CSS.escape(form.elements.wire.value)}"]`);
  keepPlace(() => form.remove());
  (from ?? document.getElementById("line")).focus();
}

async function submit(form) {
  const button = form.querySelector("[type=submit]");
  if (button.getAttribute("aria-busy") === "true") return;
  // What is no number at all would be sent as an empty field. All else the server says better.
  if ([...form.elements].some((one) => one.validity.badInput && !one.reportValidity())) return;
  const brought = [...form.querySelectorAll("[type=file]")].filter((one) => one.files[0]);
  const fault = brought.map((one) => faultOf(one.files[0], "reads" in one.dataset)).find(Boolean);
  if (fault) {
    tell(form, fault);
    return;
  }
  // What is sent twice unchanged is meant once.
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
  // As in the line: Enter sends, with Shift it breaks a line.
  else if (event.key === "Enter" && !event.shiftKey && localName === "textarea") form.requestSubmit();
  else return;
  event.preventDefault();
});
