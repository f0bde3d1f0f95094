/** Puts a chosen rota file into the form, where it is seen before it is sent. */

document.documentElement.classList.add("js");

document.querySelector("[data-file]").addEventListener("change", async ({ target }) => {
  const [file] = target.files;
  if (file) document.querySelector("[data-text]").value = await file.text();
});
