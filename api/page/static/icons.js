// Pictures of channels, each of a few strokes.

import { set, svg } from "./dom.js";
import { platform } from "./fields.js";

const PATHS = {
  __proto__: null,
  whatsapp: [
    "M3.5 12.5 4.2 10A5.3 5.3 0 1 1 6.2 11.9Z",
    "M6.6 5.6c0 2 1.8 3.8 3.8 3.8l.6-1-1.3-.8-.6.5c-.6-.3-1-.7-1.2-1.2l.5-.6-.8-1.3Z",
  ],
  instagram: [
    "M5.5 2.8h5a2.7 2.7 0 0 1 2.7 2.7v5a2.7 2.7 0 0 1-2.7 2.7h-5a2.7 2.7 0 0 1-2.7-2.7v-5a2.7 2.7 0 0 1 2.7-2.7Z",
    "M8 5.6a2.4 2.4 0 1 1 0 4.8 2.4 2.4 0 0 1 0-4.8Z",
    "M11.1 4.9h.01",
  ],
  webchat: ["M2.8 3.6h10.4v7.2H7.6L4.8 13v-2.2h-2Z", "M5.4 6.2h5.2M5.4 8.3h3.4"],
};

/** Returns the picture of a channel; it has its name unless the name stands beside it. */
export function channelIcon(name, { isNamed = false } = {}) {
  const picture = svg("svg", { viewBox: "0 0 16 16", class: `channel ${PATHS[name] ? name : "other"}` });
  for (const d of PATHS[name] ?? ["M8 1.6a6.4 6.4 0 1 1 0 12.8 6.4 6.4 0 0 1 0-12.8Z"]) {
    picture.append(svg("path", { d }));
  }
  if (!PATHS[name]) {
    picture.append(svg("text", { x: 8, y: 11, "text-anchor": "middle" }, name.charAt(0)));
  }
  if (isNamed) {
    set(picture, { "aria-hidden": "true" });
  } else {
    set(picture, { role: "img", "aria-label": platform(name) });
    const title = svg("title");
    title.textContent = platform(name);
    picture.append(title);
  }
  return picture;
}

/** Shows the pictures of several channels, and makes them anew only if they are others. */
export function showChannels(place, names) {
  if (place.dataset.channels !== names.join()) {
    place.dataset.channels = names.join();
    place.replaceChildren(...names.map((name) => channelIcon(name)));
  }
}
