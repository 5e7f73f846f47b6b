// Buttons: each carries its command as `name:value:value`. What takes something away asks once, in its own place.

import { show, tell } from "./entries.js";
import { loggedOut } from "./live.js";
import { Away, LoggedOut, newKey, post } from "./talk.js";
import { say } from "./words.js";

const pattern = document.getElementById("asking").content.firstElementChild;

/** Return the part of the page that a button is about. */
const about = (button) => button.closest(".entry, .viewer, .panel");

/** Ask the server to do what a button says. Return its answer, or nothing where it could not; the person has been told why. */
export const press = (wire, near = null) => send({ wire, key: newKey() }, near);

/** Send a button, or a form that was filled in. Return what `press` returns. */
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

/** Do what a button says, once at a time, after asking where it takes something away. `done` is told the answer. */
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
    // The viewer would close as well.
    event.preventDefault();
    event.stopPropagation();
    back();
  });
  yes.addEventListener("click", () => void go(yes, button.dataset.wire, (answer) => done(answer, question)));
  button.replaceWith(question);
  // Not on what deletes: whoever presses Enter twice has not read the question.
  no.focus();
}
