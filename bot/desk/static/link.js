/** A one-time link is redeemed by the form of its page, which sends itself once. */

document.querySelector("[data-link]").submit();
