// The sentences that the script says; the server put them into the page.

const sentences = new Map(
  [...document.getElementById("words").content.querySelectorAll("[data-key]")].map((one) => [one.dataset.key, one.textContent]),
);
const announced = document.getElementById("announced");

/** Return a sentence with its facts filled in. */
export function say(key, facts = {}) {
  return sentences.get(key).replace(/\{(\w+)\}/g, (_, name) => facts[name]);
}

/** Have a sentence read out by a screen reader, after what it is saying now. */
export function announce(sentence) {
  announced.textContent = sentence;
}
