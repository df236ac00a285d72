// What Swagger UI leaves out for who works in the dark, or with a screen reader.

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// Of an element: what it lacks.
const REPAIRS = {
  ".information-container:not([role])": (part) => part.setAttribute("role", "banner"),
  ".scheme-container:not([role])": (part) => part.setAttribute("role", "search"),
  "select:not([aria-label])": (list) => list.setAttribute("aria-label", nameOf(list)),
  // A link within a button; the button leads there.
  "button a[href]": (link) => link.removeAttribute("href"),
  "button .view-line-link:not([inert])": (picture) => picture.setAttribute("inert", ""),
  "pre.microlight:not([tabindex])": (text) => text.setAttribute("tabindex", "0"),
  // It has no heading of the first level.
  ":is(h2, h3, h4, h5):not([aria-level])": (head) => head.setAttribute("aria-level", head.tagName[1] - 1),
};

function nameOf(list) {
  const field = list.closest("[data-param-name]")?.dataset.paramName;
  return field ?? (list.id === "servers" ? "Server" : "Media type");
}

new MutationObserver(() => {
  for (const [selector, repair] of Object.entries(REPAIRS)) {
    document.querySelectorAll(selector).forEach(repair);
  }
}).observe(document.documentElement, { childList: true, subtree: true });
