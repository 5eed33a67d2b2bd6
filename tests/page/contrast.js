// The texts of a page whose contrast with what lies behind them is lower than WCAG 2.2 (AA) asks.
() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (css, under) => {
    canvas.fillStyle = under; canvas.fillRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (channels) => {
    const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = channels.map((value) => linear(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (rgb(colour, '#000').join() === rgb(colour, '#fff').join()) return colour;
    }
    return '#fff';
  };
  const found = [];
  for (const each of document.querySelectorAll('h1, h2, p, a, button, dt, dd, label, strong, small')) {
    const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || each.offsetParent === null || each.disabled || each.closest('[aria-hidden], .skip')) continue;
    const style = getComputedStyle(each);
    const under = ground(each);
    const [a, b] = [light(rgb(style.color, under)), light(rgb(under, '#fff'))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) found.push(`${each.textContent.trim()}: ${ratio.toFixed(2)}`);
  }
  return found;
}
