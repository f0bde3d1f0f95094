/** The simple look: bigger words, and faces for feelings. Kept in the address of this page, nowhere else. */

/** `onChange()` is called after the look has changed. */
export function setUpLook(onChange) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-look]");
    if (!button) return;
    event.preventDefault(); // without us it sends the form
    const simple = button.value === "simple";
    const focused = button === document.activeElement;
    document.body.classList.toggle("simple", simple);
    const address = new URL(location.href);
    if (simple) address.searchParams.set("simple", "1");
    else address.searchParams.delete("simple");
    history.replaceState(null, "", address);
    onChange();
    // The button goes and its neighbour comes: what was focused must not be lost.
    if (focused) button.parentElement.querySelector(simple ? ".to-usual" : ".to-simple").focus();
  });
}
