// Whether a person has changed a field since the server sent it.
export function isTouched(one) {
  if (one.type === "checkbox" || one.type === "radio") return one.checked !== one.defaultChecked;
  if (one.type === "select-one") return one.selectedIndex !== Math.max(0, [...one.options].findIndex((option) => option.defaultSelected));
  return one.type !== "hidden" && "defaultValue" in one && one.value !== one.defaultValue;
}
