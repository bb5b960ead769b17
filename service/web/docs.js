// Draws the interface's description, with the commands in its prose written for the address that this page came from.

const WRITTEN_FOR = "http://127.0.0.1:8000";
const place = document.querySelector("#interface");

followColorScheme();
try {
  draw(await description());
} catch (failed) {
  place.firstElementChild.append(` That failed: ${failed.message}.`);
}

async function description() {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`it was answered ${answer.status}`);
  const found = await answer.json();
  found.info.description = found.info.description.replaceAll(WRITTEN_FOR, location.origin);
  return found;
}

function draw(spec) {
  SwaggerUIBundle({
    spec,
    domNode: place,
    deepLinking: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    validatorUrl: null, // the default sends the description to a server elsewhere
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
}

// Swagger UI has a dark dress, put on by a class; the system says when.
function followColorScheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();
}
