/** By engine: the cases, as `subject: title`, that it is known to fail. One that passes all the same is a failure. */
export const expectedDifferences: Readonly<Record<string, readonly string[]>> = {
  // Ray decides how many jobs run at a time, by their resources.
  ray: ["life of a job: a job that waits for a slot says so, and can be cancelled before it runs"],
  "in process": [
    // The environment is the service's own; what is the plugin's stands in the context.
    "environment: the request's variables stand over the configuration's, and are taken back (javascript, local)",
    "environment: variables of the service are not the plugin's to see (javascript, local)",
    "environment: code that needs a variable to be loaded gets it from the request (javascript, local)",
  ],
};
