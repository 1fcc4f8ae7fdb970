/** Whether the text of a Python file declares actions. */
export function showsPythonActions(text: string): boolean {
  return /\b(plugin_runner|synapse_sdk)\b/.test(text) && /^\s*@(\w+\.)?action\b|\bBaseAction\b/m.test(text);
}
