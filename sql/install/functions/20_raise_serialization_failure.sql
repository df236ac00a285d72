-- Abort the transaction with a serialization failure, so that its batch starts again with the present data.
CREATE OR REPLACE FUNCTION projector.raise_serialization_failure()
RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'another refresh has moved a row to a tenant that is not locked here' USING ERRCODE = '40001';
END
$$;
