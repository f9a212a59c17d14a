"""What a page looks like, asked of the browser: JavaScript that gives plain values."""

# Of every piece of text that is seen: contrast with what is behind it (WCAG 2: 1 to 21), and what
# it says. Behind it is the first ancestor that is painted in full.
CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      const alpha = channels(colour)[3];
      if (alpha === undefined || alpha === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const element = node.parentElement;
    const text = node.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest("script")) continue;
    const both = [getComputedStyle(element).color, behind(element)].map(luminance);
    const [dark, light] = both.sort((a, b) => a - b);
    found.push([(light + 0.05) / (dark + 0.05), text.slice(0, 40)]);
  }
  return found;
}"""

# How bright the page and its sections are, 0 to 1; that of a figure alone is the figure's paper.
BRIGHTNESS = """() => [...document.querySelectorAll("body, section:not(#scatter)")].map((one) => {
  const [r, g, b, alpha] = getComputedStyle(one).backgroundColor.match(/[\\d.]+/g).map(Number);
  return alpha === 0 ? 1 : (r + g + b) / 765;
})"""

# Width that is needed, and width that there is.
WIDTHS = "() => [document.scrollingElement.scrollWidth, innerWidth]"

# Of each figure: its file, the width of its picture in pixels, and its text.
FIGURES = """() => Promise.all([...document.querySelectorAll("figure")].map(async (figure) => {
  const image = figure.querySelector("img");
  await image.decode();
  return [figure.id.replace(/^figure-/, ""), image.naturalWidth, image.alt];
}))"""

# Rows of the table of variants, by name, with the value of a column.
ROWS = """(key) => [...document.querySelectorAll("#table-answer tbody tr")].map((row) => {
  const cell = row.querySelector(`[data-key="${key}"]`);
  return [row.dataset.variant, cell ? cell.dataset.value : null];
})"""

OPEN_ALL = """() => {
  for (const one of document.querySelectorAll("details")) one.open = true;
}"""

SHUT = '() => document.querySelectorAll("details:not([open])").length'
