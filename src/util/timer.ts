/** The longest delay that a timer holds, in milliseconds: it has 31 bits, and a longer one would be over at once. */
export const maxTimerMs = 2 ** 31 - 1;
