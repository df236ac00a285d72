-- Keep the leads of an older installation still while their statistics are made anew; readers go on.
--
-- A merge under way is waited for. One that has yet to write fails then at the table that is dropped, and its changes
-- stay in the queue.
LOCK TABLE read_model.leads IN SHARE MODE;
