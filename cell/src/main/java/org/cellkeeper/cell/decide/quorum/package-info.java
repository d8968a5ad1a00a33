/** The arithmetic that no acknowledged commit is lost by, on plain values: nothing here knows of a view, a clock or a rule. */
@NullMarked
package org.cellkeeper.cell.decide.quorum;

import org.jspecify.annotations.NullMarked;
