/** The cluster's report of itself, out of what a cell knows, and the steps of its takeovers: pure, and no rule asks for it. */
@NullMarked
package org.cellkeeper.cell.report;

import org.jspecify.annotations.NullMarked;
