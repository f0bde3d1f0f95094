/**
 * Reading a message out loud, with a voice that the device itself has. A voice from elsewhere would send the
 * words of the chat to whoever runs it, so without a local one there is no such button.
 */

import { word } from "./words.js";

const synth = window.speechSynthesis;
const language = document.documentElement.lang.toLowerCase();
let voice = null;
let reading = null; // the button whose message is being read

/** Makes the buttons in the log work, and shows them when there is a voice. */
export function setUpSpeech() {
  if (!synth || !window.SpeechSynthesisUtterance) return;
  find();
  synth.addEventListener?.("voiceschanged", find); // some browsers know their voices a moment later
  document.getElementById("log").addEventListener("click", (event) => {
    const button = event.target.closest(".read");
    if (!button) return;
    const again = button === reading;
    stop();
    if (!again) read(button);
  });
  document.addEventListener("earshot:leave", stop);
  addEventListener("pagehide", stop);
}

function find() {
  const near = synth.getVoices().filter((each) => each.localService);
  const speaks = (tag) => near.find((each) => each.lang.toLowerCase().replace("_", "-").startsWith(tag));
  voice = speaks(language) ?? speaks(language.split("-")[0]) ?? null;
  document.documentElement.classList.toggle("can-speak", voice !== null);
}

function read(button) {
  const message = button.closest(".message");
  const parts = message.querySelectorAll(".name, .text, .card > p, .choice:not([aria-disabled])");
  const words = new SpeechSynthesisUtterance(Array.from(parts, (part) => part.textContent).join(". "));
  words.voice = voice;
  words.lang = voice.lang;
  words.rate = 0.9; // a little slower than people speak
  words.onend = words.onerror = () => button === reading && show(null);
  show(button);
  synth.speak(words);
}

function stop() {
  synth.cancel();
  show(null);
}

function show(button) {
  if (reading) reading.textContent = word("read");
  reading = button;
  if (reading) reading.textContent = word("read_stop");
}
