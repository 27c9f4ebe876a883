// The page's tabs, as scripts see them.

// Show the tab of a name; where the page is narrow, some are in a menu.
export function openTab(name) {
  const tabs = [...document.querySelectorAll("button[role=tab], .overflow-dropdown button")];
  tabs.find((tab) => tab.textContent.trim() === name)?.click();
}

// Call `react` whenever an element comes into view, as the content of a tab does when it is opened.
export function onShown(element, react) {
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) react();
  }).observe(element);
}
