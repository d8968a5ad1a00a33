/** The authenticated links between the agents, over TCP. */
@NullMarked
package org.cellkeeper.cell.peer;

import org.jspecify.annotations.NullMarked;
