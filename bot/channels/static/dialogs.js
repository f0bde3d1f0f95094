/** The menu and the dialogs: a code to come back, what happens to what I say, delete this chat. */

import { call } from "./api.js";
import { word } from "./words.js";

const $ = (id) => document.getElementById(id);

/** Opens and closes the menu and every dialog; `say(text)` sends a ready sentence from the menu. */
export function setUpDialogs(say) {
  const menu = $("menu");
  document.querySelectorAll("a[data-dialog]").forEach(asButton);
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    const closer = event.target.closest("[data-close]");
    const ready = event.target.closest("[data-say]");
    if (menu.open && (opener || ready || !menu.contains(event.target))) menu.open = false;
    if (opener) {
      // The opener hides with the menu, so focus would have nowhere to return to.
      menu.querySelector("summary").focus();
      $(opener.dataset.dialog).showModal();
    }
    if (closer) closer.closest("dialog").close();
    if (ready) {
      event.preventDefault(); // without us it sends the form
      if (menu.contains(ready)) menu.querySelector("summary").focus();
      say(ready.value);
    }
  });
  $("copy").addEventListener("click", copyCode);
  // Found now: "close" is told a moment late, when leaving may have taken everything off the page.
  const answers = [$("copied"), $("delete-answer")];
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("close", () => answers.forEach((answer) => (answer.textContent = "")));
  }
}

// Before we were here it led to the dialog by its address; a link that leads nowhere would mislead.
function asButton(link) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.dialog = link.dataset.dialog;
  button.textContent = link.textContent;
  const focused = link === document.activeElement;
  link.replaceWith(button);
  if (focused) button.focus();
}

/** Makes `code` known to the dialog, or, with `null`, says that it cannot be shown again. */
export function setCode(code) {
  $("code-known").hidden = !code;
  $("code-unknown").hidden = Boolean(code);
  $("code-words").textContent = (code ?? "").replaceAll("-", " ");
}

async function copyCode() {
  try {
    await navigator.clipboard.writeText($("code-words").textContent);
    $("copied").textContent = word("copied");
  } catch {
    getSelection().selectAllChildren($("code-words"));
    $("copied").textContent = word("copy_failed");
  }
}

/** `onDeleted(detail)`: the gateway deleted; `detail` says what had to be kept, or is empty. */
export function setUpDelete(onDeleted) {
  const dialog = $("delete-dialog");
  const go = $("delete-go");
  $("delete-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      const { data } = await call("DELETE", "/api/conversation");
      dialog.close();
      onDeleted(data?.detail ?? "");
    } catch (problem) {
      $("delete-answer").textContent = problem.detail || word("failed");
    } finally {
      go.disabled = false;
    }
  });
}

/** `onResumed()`: the code was right and the session cookie is set. */
export function setUpResume(onResumed) {
  const form = $("resume");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const field = $("code");
    button.disabled = true;
    $("code-error").textContent = "";
    field.removeAttribute("aria-invalid");
    try {
      await call("POST", "/api/resume", { code: field.value });
      field.value = "";
      onResumed();
    } catch (problem) {
      field.setAttribute("aria-invalid", "true");
      $("code-error").textContent = problem.detail || word("failed");
      field.focus();
    } finally {
      button.disabled = false;
    }
  });
}
