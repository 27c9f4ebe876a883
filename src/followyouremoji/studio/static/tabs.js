// The page's tabs, as scripts see them.

// Show the tab of a name.
export function openTab(name) {
  const tabs = [...document.querySelectorAll("button[role=tab]")];
  tabs.find((tab) => tab.textContent.trim() === name)?.click();
}

// Call `react` whenever an element comes into view, as the content of a tab does when it is opened.
export function onShown(element, react) {
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) react();
  }).observe(element);
}
