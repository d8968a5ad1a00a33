/** What keeps the agent honest: a second, tiny process on the same machine, and the agent's side of it. */
@NullMarked
package org.cellkeeper.cell.guard;

import org.jspecify.annotations.NullMarked;
