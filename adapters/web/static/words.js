// The sentences that the script shows; the server puts them into the page.

const sentences = new Map(
  [...document.getElementById("words").content.querySelectorAll("[data-key]")].map((one) => [one.dataset.key, one.textContent]),
);
const announced = document.getElementById("announced");

/** Return a sentence with its values filled in. */
export function say(key, facts = {}) {
  return sentences.get(key).replace(/\{(\w+)\}/g, (_, name) => facts[name]);
}

/** Let a screen reader read a sentence aloud, after its current one. */
export function announce(sentence) {
  announced.textContent = sentence;
}
