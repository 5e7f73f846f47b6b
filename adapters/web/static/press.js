// Buttons: each carries its command as `name:value:value`. A destructive button asks once for confirmation, in place.

import { show, tell } from "./entries.js";
import { loggedOut } from "./live.js";
import { Away, LoggedOut, newKey, post } from "./talk.js";
import { say } from "./words.js";

const pattern = document.getElementById("asking").content.firstElementChild;

/** Return the part of the page that a button belongs to. */
const about = (button) => button.closest(".entry, .viewer, .panel");

/** Ask the server to run the command of a button. Return its answer, or nothing after a failure, which the user sees. */
export const press = (wire, near = null) => send({ wire, key: newKey() }, near);

/** Send a button, or the values of a form. Return what `press` returns. */
export async function send(values, near, seconds) {
  tell(near, "");
  try {
    const answer = await post("/press", values, seconds);
    if (answer.error) {
      tell(near, answer.error);
      return null;
    }
    for (const job of answer.jobs ?? []) if (!document.getElementById(`job-${job.id}`)) await show(job.html);
    return answer;
  } catch (error) {
    if (error instanceof LoggedOut) loggedOut();
    else if (error instanceof Away) tell(near, say("press-away"));
    else throw error;
  }
  return null;
}

/** Run the command of a button, once at a time; a destructive one asks first. Call `done` with the answer. */
export function pressed(button, done) {
  if (button.getAttribute("aria-busy") === "true") return;
  if ("ask" in button.dataset) askFirst(button, done);
  else void go(button, button.dataset.wire, done);
}

async function go(button, wire, done) {
  button.setAttribute("aria-busy", "true");
  const answer = await press(wire, about(button));
  button.removeAttribute("aria-busy");
  if (answer) done(answer, button);
}

function askFirst(button, done) {
  const question = pattern.cloneNode(true);
  const [yes, no] = [question.querySelector("[data-yes]"), question.querySelector("[data-no]")];
  const back = () => {
    question.replaceWith(button);
    button.focus();
  };
  no.addEventListener("click", back);
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    // Otherwise the viewer would close as well.
    event.preventDefault();
    event.stopPropagation();
    back();
  });
  yes.addEventListener("click", () => void go(yes, button.dataset.wire, (answer) => done(answer, question)));
  button.replaceWith(question);
  // Focus No, not the destructive button: a user who presses Enter twice has not read the question.
  no.focus();
}
